"""Tables of numbers as people write them: what is a header, what counts rows, what is a value, and what is a doubt."""

import numpy as np
import pytest

from amsx.data.csv_features import read_csv

HEADER, INDEX = "a first line of column names", "a first column that counts the rows"
ROWS = "0.5,1.5\n2.5,3.25\n4.5,5.5\n"
VALUES = [[0.5, 1.5], [2.5, 3.25], [4.5, 5.5]]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (ROWS, ""),
        (ROWS.rstrip(), ""),
        (ROWS + "\n\n", ""),
        ("\ufeff" + ROWS.replace("\n", "\r\n"), ""),
        (ROWS.replace(",", ";"), ""),
        (ROWS.replace(",", "\t"), ""),
        (ROWS.replace(",", "  "), ""),
        (ROWS.replace(",", ", "), ""),
        ('"0.5","1.5"\n"2.5","3.25"\n"4.5","5.5"\n', ""),
        (ROWS.replace("\n", ",\n"), "a separator at the end of every line"),
        (ROWS.replace(",", "\t").replace("\n", "\t\n"), "a separator at the end of every line"),
        ("0,1\n" + ROWS, HEADER),
        ("1,2\n" + ROWS, HEADER),
        ("a,b\n" + ROWS, HEADER),
        ("a\tb\n" + ROWS.replace(",", "\t"), HEADER),
        ("# a,b\n" + ROWS, "1 first lines that begin with #"),
        ('\ufeff"a","b"\n' + ROWS, HEADER),
        (",0,1\n0,0.5,1.5\n1,2.5,3.25\n2,4.5,5.5\n", f"{HEADER} and {INDEX}"),
        (",a,b\n1,0.5,1.5\n2,2.5,3.25\n3,4.5,5.5\n", f"{HEADER} and {INDEX}"),
        ('"","V1","V2"\n"1",0.5,1.5\n"2",2.5,3.25\n"3",4.5,5.5\n', f"{HEADER} and {INDEX}"),
        ('"V1" "V2"\n"1" 0.5 1.5\n"2" 2.5 3.25\n"3" 4.5 5.5\n', f"{HEADER} and {INDEX}"),
        ("Unnamed: 0,a,b\n0,0.5,1.5\n1,2.5,3.25\n2,4.5,5.5\n", f"{HEADER} and {INDEX}"),
        ("index,a,b\n0,0.5,1.5\n1,2.5,3.25\n2,4.5,5.5", f"{HEADER} and {INDEX}"),
        ("frame,a,b\n0,0.5,1.5\n1,2.5,3.25\n2,4.5,5.5", f"{HEADER} and {INDEX}"),
        (
            "frame,a,b\n8,0.5,1.5\n24,2.5,3.25\n40,4.5,5.5",
            f"{HEADER} and a first column of places in time, called 'frame'",
        ),
        (
            "time;a;b\n0;0.5;1.5\n0.64;2.5;3.25\n1.28;4.5;5.5",
            f"{HEADER} and a first column of places in time, called 'time'",
        ),
        ("0,0.5,1.5\n1,2.5,3.25\n2,4.5,5.5\n", INDEX),
        ("1,0.5,1.5\n2,2.5,3.25\n3,4.5,5.5\n", INDEX),
    ],
)
def test_the_whole_file_says_what_is_header_index_and_value(tmp_path, text, form):
    (tmp_path / "v.csv").write_bytes(text.encode())
    values, said = read_csv(tmp_path / "v.csv")
    assert values.dtype == np.float32 and values.tolist() == VALUES
    assert said == form


@pytest.mark.parametrize(
    ("text", "values", "form"),
    [
        ("0.5\n", [[0.5]], ""),
        ("0.5\n1.5\n", [[0.5], [1.5]], ""),
        ("0\n1\n2\n", [[0], [1], [2]], ""),
        ("a\n0.5\n", [[0.5]], HEADER),
        ("0.5,1.5\n", [[0.5, 1.5]], ""),
        ("a,b\n0.5,1.5\n", [[0.5, 1.5]], HEADER),
        ("0,1\n0.5,1.5\n", [[0.5, 1.5]], HEADER),
        (",0\n0,0.5\n", [[0.5]], f"{HEADER} and {INDEX}"),
        ("1,2\n3,4\n", [[1, 2], [3, 4]], ""),
        ("3,1,2,0\n0,1,2,4\n", [[3, 1, 2, 0], [0, 1, 2, 4]], ""),
        ("0,1,2,3\n5,6,7,0.5\n", [[5, 6, 7, 0.5]], HEADER),
        ("0\n" + "0.5\n" * 10, [[0.5]] * 10, HEADER),
        ("2,0.5\n3,1.5\n4,0.5\n", [[2, 0.5], [3, 1.5], [4, 0.5]], ""),
        ("1e-3,nan\n", [[0.001, np.nan]], ""),
    ],
)
def test_one_column_one_row_and_whole_numbers(tmp_path, text, values, form):
    (tmp_path / "v.csv").write_text(text)
    read, said = read_csv(tmp_path / "v.csv")
    np.testing.assert_array_equal(read, np.float32(values))
    assert said == form


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5,,1\n1,2,3\n", "row 1, column 2 is empty"),
        (",0.5,1\n1,2,3\n", "row 1, column 1 is empty"),
        ("1.5,2\n3,\n", "row 2, column 2 is empty"),
        ("a,b\n1.5,2\n3,x\n", "row 3, column 2 holds 'x'"),
        ("a,2\n3,4.5\n", "row 1, column 1 holds 'a'"),
        ("a,,c\n1.5,2,3\n", "row 1, column 1 holds 'a'"),
        ("1.5,2\n\n3,4\n", "row 2 is empty"),
        ("1.5,2\n3\n", "row 2 has 1 columns; expected 2"),
        ("a,b\n1.5,2,3,4\n", "row 2 has 4 columns; expected 2 as in the header"),
        ("0,5;1,5\n2,5;3,5\n", "row 1, column 1 holds '0,5'; expected a number; numbers have a decimal point"),
        ("a,b\n1.5,2\na,b\n", "row 3, column 1 holds 'a'"),
        ("a,b\n", "a header and no row"),
        ("# a\n", "a header and no row"),
        ("", "line 1 is empty"),
        ("\n\n", "line 1 is empty"),
        ("0,1\n2,3\n", "row 1 reads 0 to 1, which may be a header or values"),
        ("0,1\n0.5,0.5\n1,0\n", "row 1 reads 0 to 1, which may be a header or values"),
        ("0\n0.5\n0.75\n", "row 1 reads 0, which may be a header or values"),
        ("0,7\n1,5\n2,9\n", "row 1 begins a first column that counts the rows and may be an index or values"),
        (",a\n0.5,1\n0.7,2\n", "first column has no name"),
        ("a\n1.5,2\n3.5,4\n", "first column has no name"),
        ("frame,a\n8,1\n8,2\n", "first column is called 'frame' and does not grow"),
    ],
)
def test_a_doubt_is_an_error_that_names_file_and_row(tmp_path, text, message):
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"v\.csv: .*{message}"):
        read_csv(tmp_path / "v.csv")
