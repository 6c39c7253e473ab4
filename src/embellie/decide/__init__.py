"""5. Act now, or learn more first?"""
