"""Events written in the transaction of the change they tell of, and handed on afterwards by the relay."""
