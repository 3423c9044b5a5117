def test_my_metric():
    from my_package.my_metrics import custom_accuracy

    preds = [1, 2, 3, 1]
    labels = [1, 2, 0, 1]
    score = custom_accuracy(preds, labels)

    assert score == 0.75 # 3 out of 4 correct
