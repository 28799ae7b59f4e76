"""Deterministic generator of the embedded Bishan study data.

Four small tables of real facts go in (district, townships, 109 OpenStreetMap objects, terrain); a plausible but
invented street network, land use and stock of facilities comes out. Everything invented says so: each tagged
object carries ``data_kind=synthetic`` and each invented name starts with ``合成·``.
"""
