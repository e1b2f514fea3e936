"""The operations pages: the state of the services, and the actions of operators. They work without JavaScript."""
