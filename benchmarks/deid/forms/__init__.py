"""Forms of days, ages, times and places in short sentences, beside sentences that look alike and must stay whole."""
