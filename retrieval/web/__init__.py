"""Services beyond the person's own folder: one small file each, all of one shape (`service.Service`), all through one door.

`services` lists them, `search` asks them side by side, `works` puts together what several told of one work, `rank` orders it; `pages`,
`maintext` and `about` read pages, `fulltext` finds open copies. `folder` plays the web from saved pages.
May import: of this floor `http`, `loaders`, `types`, `outcomes`, `lexical`, `search`, `embed`, `chunks`.
"""
