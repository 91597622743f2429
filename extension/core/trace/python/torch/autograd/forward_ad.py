"""Forward-mode derivatives are not traced."""
