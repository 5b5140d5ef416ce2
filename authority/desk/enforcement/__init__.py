"""Who carried out what and when: from the log and the book of receipts to tables, pages and penalties. `authority.desk.compliance` drives it."""
