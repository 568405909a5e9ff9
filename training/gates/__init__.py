"""What a version is asked before it may answer users. The list, and how to add one: training/gate.py."""
