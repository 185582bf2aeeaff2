"""Charts as SVG text, made of numbers. Pure, and of the standard library alone.

Nothing in them depends on colour: lines differ by dashes and end markers, bands by
patterns, and each has its name beside it. They are drawn in `currentColor`, so that they can be
read without a stylesheet, in forced colours and on paper. There is no `style` in them, which a
strict content security policy forbids; a stylesheet gives the classes below a `color`.

=============  =========================================  ========  ========
class          what                                       on #fff   on #16181d
=============  =========================================  ========  ========
``chart``      the picture; ``font-size`` in its units
``spark``      a sparkline
``c1``         first line; a sparkline                    #1d5fbf   #7db0ff
``c2``         second line                                #b24a00   #ff9f5f
``c3``         third line                                 #00736a   #4fcabb
``c4``         fourth line                                #8639a6   #d79df3
``c5``         fifth line                                 #b3254c   #ff8fa6
``c6``         sixth line                                 #6a6000   #d3c24b
``band1``…     bands of a stack: the colours of ``c1``…
``band6``      the last band, "other"                     #5b6472   #a4acb9
``axis``       base line, dates, numbers, notes           #5b6472   #a4acb9
``grid``       thin lines behind, at a quarter of it      #5b6472   #a4acb9
``outage``     days on which a registry counted nothing   #5b6472   #a4acb9
``label``      names and last values: the text's colour
=============  =========================================  ========  ========

Text is set for the smallest screen: 40 of 1280 units are 10 px where the picture is 320 px wide.
Where there is more room, ``.chart { font-size: 26px }`` (in units of the picture) is calmer.
"""
