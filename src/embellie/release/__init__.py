"""6. Change it gradually; go back at once."""
