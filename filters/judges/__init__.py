"""Judges: simple views of whether an image and a text belong together, on features of frozen towers.

towers  pixels and texts -> rows of features          spaces  rows of features -> unit rows, words beside sentences
judges  four judges of a pair, less what is usual     stack   their log-odds, fitted on pairs exchanged
posterior  how many pairs are right, and which        study   what a patient's other pairs say of a pair
faults  a pair exchanged, or all of a patient         fit     the whole, with a clean set or without one
"""
