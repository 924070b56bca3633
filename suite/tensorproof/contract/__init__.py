"""What is known of a backend: how it is found and described, what it declares, and what it is made of."""
