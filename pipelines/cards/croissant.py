"""Croissant metadata (MLCommons, version 1.0) of a folder with data/<split>-*.parquet: croissant.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.cards.licenses import LICENSE_PAGES
from rewards.contracts.files import hash_file, write_json
from rewards.contracts.records import PROBLEM, Schema

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"String": "sc:Text", "Int64": "sc:Integer", "Float64": "sc:Float", "Boolean": "sc:Boolean"}


@dataclass(frozen=True, slots=True)
class About:
    """What a published version adds to the description of its files."""

    repo: str
    version: str
    tag: str
    date: str
    licenses: tuple[str, ...]
    """As the hub names them."""

    def fields(self, name: str) -> dict[str, Any]:
        url = f"https://huggingface.co/datasets/{self.repo}"
        return {
            "url": url,
            "version": self.version,
            "datePublished": self.date,
            "license": [LICENSE_PAGES.get(license, f"{url}#licenses") for license in self.licenses],
            "citeAs": f"{name} ({self.date[:4]}), version {self.tag}, {url}",
            "creator": {"@type": "sc:Organization", "name": self.repo.partition("/")[0]},
        }


def write_croissant(folder: Path, name: str, schema: Schema = PROBLEM, about: About | None = None) -> None:
    """Describe the Parquet files in `folder`/data, their hashes and their columns.

    Without `about`, a corpus that is not published, whose version is its content's hash in the manifest.
    """
    shards = sorted((folder / "data").glob("*.parquet"))
    files = [
        {
            "@type": "cr:FileObject",
            "@id": f"data/{shard.name}",
            "name": f"data/{shard.name}",
            "contentUrl": f"data/{shard.name}",
            "contentSize": f"{shard.stat().st_size} B",
            "encodingFormat": "application/x-parquet",
            "sha256": hash_file(shard),
        }
        for shard in shards
    ]
    records = [
        {
            "@type": "cr:RecordSet",
            "@id": f"shard-{number}",
            "name": f"shard-{number}",
            "description": f"{schema.meaning}; rows of {shard.name}",
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": f"shard-{number}/{column.name}",
                    "name": column.name,
                    "description": column.meaning,
                    "dataType": _TYPES[str(column.dtype)],
                    "source": {
                        "fileObject": {"@id": f"data/{shard.name}"},
                        "extract": {"column": column.name},
                    },
                }
                for column in schema.columns
            ],
        }
        for number, shard in enumerate(shards)
    ]
    write_json(
        folder / "croissant.json",
        {
            "@context": _CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.0",
            "name": name,
            "description": "Math problems with verifiable short answers, curated by reasoner-zero.",
            "distribution": files,
            "recordSet": records,
            "license": "each row names the license of its source in the column `license`",
            "version": "1.0.0",
            **(about.fields(name) if about else {}),
        },
    )
