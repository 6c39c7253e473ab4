"""1. What are we deciding, what don't we know, what is it worth?"""
