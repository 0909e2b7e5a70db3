"""A server's place: which child it has, when it gets another, and who decides that."""
