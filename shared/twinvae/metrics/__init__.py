"""How good scores and alarms are, held against labels."""
