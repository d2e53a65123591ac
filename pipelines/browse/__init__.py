"""`curate browse`: a finished run's records in a browser, on this machine alone.

    table.py    narrow columns in memory: filters, search over texts, order, pages
    cut.py      the cut moved: what the select stage would choose instead, and the --set that makes it so
    records.py  what is shown of one record: picture, text, boxes, scores
    server.py   HTTP on localhost: token, Host, Content-Security-Policy; page.html, page.css, page.js

No secret and no archive is needed: all that is read is de-identified.
"""
