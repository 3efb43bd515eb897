"""What the Data page works with beside the file itself; made once, for the desk."""

from dataclasses import dataclass, field

from studio.services.data_mender import DataMender
from studio.services.data_search import DataSearch
from studio.services.mapping_previewer import MappingPreviewer
from studio.services.token_viewer import TokenViewer


@dataclass(frozen=True, slots=True)
class DataTools:
    """The services of the Data page.

    Attributes:
        previewer: Shows what a choice of columns would make of the first rows.
        search: Finds rows by their text.
        mender: Writes new files in which findings are mended.
        tokens: Tells the tokens of the row that is looked at.
    """

    previewer: MappingPreviewer = field(default_factory=MappingPreviewer)
    search: DataSearch = field(default_factory=DataSearch)
    mender: DataMender = field(default_factory=DataMender)
    tokens: TokenViewer = field(default_factory=TokenViewer)

    def close(self) -> None:
        """Wait until none of them is at work; for a window that closes."""
        self.previewer.close()
        self.search.close()
        self.mender.close()
        self.tokens.close()
