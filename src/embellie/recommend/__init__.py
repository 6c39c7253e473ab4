"""2. Which articles, for this reader, here, now?"""
