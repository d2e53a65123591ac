"""The findings verifier: does the picture show what the text claims?"""
