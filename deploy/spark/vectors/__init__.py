"""The Spark job that computes the eight features of contracts section 4 from `payment.validated`."""
