"""What real files are like, made by rule: is nothing wrong let through, and nothing right lost?"""
