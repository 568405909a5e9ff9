"""Does the loop close, for the better, and only when it should?"""
