"""Print the table of networks: what was counted beside what the papers say.

python -m models.networks
"""

from models.networks import NETWORKS
from models.networks.count import cost


def millions(figure: float | None) -> str:
    return f"{figure / 1e6:,.1f} M" if figure else "-"


def main() -> None:
    print(f"{'network':20} {'input':>8} {'parameters':>13} {'paper':>10} {'multiply-adds':>14} {'paper':>10}  source")
    for name, row in NETWORKS.items():
        counted = cost(lambda row=row: row.build(row.paper_embedding_size, row.paper_px), row.paper_px)
        parameters, multiply_adds = (millions(figure) for figure in counted)
        size = "{}x{}".format(*row.paper_px)
        print(
            f"{name:20} {size:>8} {parameters:>13} {millions(row.parameters):>10} {multiply_adds:>14} "
            f"{millions(row.multiply_adds):>10}  {row.source}"
        )


if __name__ == "__main__":
    main()
