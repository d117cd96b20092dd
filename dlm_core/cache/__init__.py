"""What is kept of a canvas between two guesses: keys and values of rows, so that an edit costs what it changed.

`span_cache` owns the rows (an arena counted by owners) and finds what is stale; `forward` computes the rest for several canvases at
once; `attention` mixes kept and new rows. In exact mode all of it equals keeping nothing, bit for bit.
May import: kinds, canvas, models; kernels, torch, numpy.
"""
