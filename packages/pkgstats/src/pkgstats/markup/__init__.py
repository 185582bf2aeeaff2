"""A readme as safe, accessible HTML: Markdown, then a tree that is dressed, then nh3 as the last.

`render.render` does the work and `renderer.Renderer` has it done in a process that can be ended;
`cache.Cache` keeps what came out. Everything that comes out goes through `sanitise.gate`.

The classes that stand in the output:

========================  ========================================================================
``r-scroll``              a table's frame, which can be scrolled by keyboard
``r-code``                a block of code, which can be scrolled by keyboard
``r-image``               what stands for an image that is not loaded
``r-center``, ``r-right``  how a block or a cell is aligned
``r-plain``               a readme that is shown as it was written
``h-c`` ``h-k`` ``h-s``   in code: comments, keywords, strings
``h-n`` ``h-f`` ``h-t``   in code: numbers and constants; names of functions and classes; tags
``h-a``                   in code: attributes, properties, built-in names
``h-i`` ``h-d``           in code: inserted and deleted lines
========================  ========================================================================
"""
