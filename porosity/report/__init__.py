"""From estimates to what people read: figures, tables, one page, and some lines on a terminal. Nothing is estimated here."""
