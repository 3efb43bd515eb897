"""Charts by pyqtgraph, and the scales of their axes without it.

pyqtgraph and numpy take half a second to import and the window is there before. A page
therefore imports a chart's class from its module when it first draws, and whatever
loads at the start imports none of them.
"""
