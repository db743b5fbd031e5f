"""The pages: each file adds one screen to the app."""
