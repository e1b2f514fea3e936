"""Facts in (Kafka): state and due mails, by statements over whole batches."""
