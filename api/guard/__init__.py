"""Who may ask what, and how much at a time: API keys, their scopes and rates, and when requests are turned away."""
