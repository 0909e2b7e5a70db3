"""What a child's processes and folders use together, measured from outside."""
