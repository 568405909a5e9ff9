"""Mutes from the command line: mute, unmute, mutes. What a mute is: contracts/mutes.py; what it does: alerts.md."""
