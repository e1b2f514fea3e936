"""The cash register: Webkassa's API v4, its books, and the page of each receipt."""
