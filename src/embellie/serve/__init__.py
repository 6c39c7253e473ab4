"""3. Answer in time, and remember exactly what was shown."""
