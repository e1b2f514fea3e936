"""The Helm charts of deploy/kubernetes: built, rendered and strictly validated, without a cluster."""
