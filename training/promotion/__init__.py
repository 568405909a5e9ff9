"""Promotion: who becomes the champion, by a claim that one of many holds; roll-back and history."""
