"""How many labels one process of the API takes, and what a receipt costs."""
