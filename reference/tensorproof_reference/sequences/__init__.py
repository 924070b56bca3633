"""Recurrent layers over sequences of several lengths, and backward."""
