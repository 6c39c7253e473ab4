"""4. What changed because of it?"""
