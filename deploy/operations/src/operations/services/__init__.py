"""The watched services: polled, and shown as each answered last."""
