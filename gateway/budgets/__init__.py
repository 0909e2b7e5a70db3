"""What runs cost and may cost: prices, the accounts of days, and the history of both."""
