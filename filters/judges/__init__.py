"""Judges: simple views of whether an image and a text belong together, on features of frozen towers.

spaces  rows of features -> unit rows, words beside sentences
judges  four judges of a pair, less what is usual     study   what a patient's other pairs say of a pair
stack   their log-odds, and how many pairs are right  faults  a pair exchanged, or all of a patient
fit     the whole, with a clean set or without one    method  towers' features in, probabilities out
"""
