"""A child's way out: the proxy outside its network, and where it may lead."""
