"""What the datasets of the user's own data share: tables of rows, classes and taxonomies, and splits."""
