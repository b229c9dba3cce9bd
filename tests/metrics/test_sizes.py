"""IoU of segments, by hand."""

import numpy as np

from seglab.metrics.sizes import segment_iou


def parse(text):
    return np.array([[255 if c == "." else int(c) for c in row] for row in text.split()], np.uint8)


def test_by_hand():
    mask = parse("""
        1100011
        1100011
        0000000
        2000.11""")
    prediction = parse("""
        1000011
        1110011
        0000000
        0000111""")
    found = {(k, size): iou for k, size, iou in segment_iou(prediction, mask, 4).tolist()}
    ones = found.pop((1, 2))  # the bottom right one; the 1 on the ignored pixel is no part of it
    assert ones == 1
    squares = [iou for k, size, iou in segment_iou(prediction, mask, 4).tolist() if (k, size) == (1, 4)]
    assert squares == [3 / 5, 1]
    assert found[2, 1] == 0
    background = found[0, 28 - 4 - 4 - 2 - 1 - 1]
    # one piece, all of it but the pixel at (1, 2); the piece also takes (0, 1) and (3, 0)
    assert background == (16 - 1) / (16 + 2)


def test_a_row_predicted_as_one_piece_is_not_held_against_each():
    mask = parse("101101")
    whole = np.ones_like(mask)
    ones = [row for row in segment_iou(whole, mask, 2).tolist() if row[0] == 1]
    # each true segment plus the two background pixels, and none of the other segments
    assert ones == [(1, 1, 1 / 3), (1, 2, 2 / 4), (1, 1, 1 / 3)]


def test_an_empty_truth_has_no_segments():
    assert len(segment_iou(np.zeros((3, 3), int), np.full((3, 3), 255), 2)) == 0
