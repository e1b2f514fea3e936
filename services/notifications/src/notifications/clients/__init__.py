"""Systems outside, one module each: wire format out and in, a typed outcome back."""
