"""The canvas: question, evidence and draft as one sheet of tokens, with typed slots that are open, filled or fixed.

`canvas` holds the values and their edits (commit, reopen, resize, insert, delete, move): every edit returns a new canvas, and rows that
it does not touch keep their ids. `tokenizer` turns words into tokens with character offsets, for the embedded model and for chats.
May import: kinds; torch, tokenizers.
"""
