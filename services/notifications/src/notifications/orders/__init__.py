"""What is stored of an order and its eSIM, and the emails that follow from it."""
