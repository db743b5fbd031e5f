"""Identifiers of patients in free text: found, counted, masked and shown to the person who clears them.

A clean result is never a de-identification, and nothing here keeps the text of what was found.
"""
