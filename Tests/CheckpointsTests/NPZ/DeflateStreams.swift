/// Made with Python's zlib (raw deflate, level 9 unless named otherwise) of the data in `InflateTests`.
enum DeflateStreams {
  /// The data and how it was packed, to the stream in base64.
  static let all = [
    "geometric": """
    hVYJcuMwDOMlu+n+/79LAJTt9JimmcSVZZIiACJeYRbuYR5e1i+37KVes1719Oj14LplL/VF4btf/C/w57jv1s8zBLZnvzsUtuA5hszQnUI6
    CzwWvYOrvV6FoLjFB/rDmCMUrd95JQtE7IJVtYroqym0y6hEiVEomOUe5mlTMtbwPBOzRC52uckY6IdW5oVaEwXZHAivA+t9zbDJKhJlOKq6
    Mp1YxA6lwV2m8yt1fx9sBkuYc/NjMbahdufBWULuUFMIQw52R/TRPR/FO59RX9CNxXZY8fQeRJTHa6yxbakqABB+YAP38Aw4L48QESv5HzFC
    GRWqehBgWPMzRSmdVpENmVJNBvrTBcAVaWIAGihYd1ifgzJZOsmDfTG98leotR/K4StArgJOn5GpIiLt7r96XrVrbkIJnox9lN1EnAVF88x3
    Q1VRNy2HZ8YzgJ0V0wifHUqzArwR/yxqQHf3QUxYku8fik3KZwgv0VawTwKybq6ULf1RfPqQYQjvH0BPLUahEC3o6zVysHgZqeJY8u5cfOq0
    YcOWh/7B10HXtmhS2QjPNBtLBzij8wDmwmPVO/IcjVE7wwCdyXfX9Q60xgVUimCsWkVwZmx4Gawn16X/aeCIxu3k/LhEuCQpppCc84E/ah0m
    +h4WnEucSDMwCijlhcBkiiLio/8c/de7/snPCRq3/hXbhnx+0Va8nQEjEm7sVpB9d/EeN11HNDNmcdCDiCK7lLRBxt1IGoD2aBKdJ9nSs3ph
    9OVIT9P9m/7TfOQS7/oP5tc8zrz1fx4z/Y0UBqyrvupf7pQ+BpNb/5F7tAry7mnMIG8MYgZo2N1/9Tzi1v+M58hv+s8h+Fo/6T/i0v+/RmCB
    vvWm/5g0sU1KihjQnc3Y+g/xfYhAyseSfRGGfwo1Cci6ubLLfW7rcnHbXmYjmqxpMdr38H+NFU6u7f8L8zln5p3Sf0+yn/1/iwbbP0lQUacG
    tBd7sDC9L/8/Lv8/Mrf/84F6+D+nuB31xf9zqh7/z8v/mzlF0eel/4SN/uH/Bb/6zf9rXfo/x6rBnYX2NnVZxfHd/7PH6Z/+n5f/n3NukwBK
    frn9n7Rdt//Xpf/cv90wCc+n/9dN1xHNjNl3/y+vi0MaG8Wff7/5f67b/5dY+IP/0/Wcs+qh/yLEP/l//e3/iHj84P85tM/Rf/f0mEGeUaUi
    Yn3z/8xb/zOe6xf/f/3m/1kP/1+awO/+D80J6SlwZqak+e7/qV/S+fD/9eb/y/4D
    """,
    "geometric, Huffman only": """
    BcGBgSRBEQQxRVbPHg/++4vUG6tpPcgNS61r6w1xit6pSjGzUB4PhuNyhdOw23Beky12tYF7rzI5zUnKOI47s9AaPa3HzOoZwvOuai9S9dNR
    DBkNCgbXPaPGALDlThQO/Nico47ZWaWlGP52RgUrYUIB/baAcxLJ50g/ZXHiChYHJQ/y2/M6A9AJxIsvlafRirZcF3wKza1fqxVGNla2fWcj
    6fAmghBNf4dcqEK6nBq1Fai2k8mSmU1ElHS4FstaJP1bwn+Q+rarx89/d5eLHWFiwXsQ9ErcIgDUlGNDIEriu0hpO2veCJX47kHf/JBhD7hq
    QPIc5z8Ss9w0MtpBI9iZYCpdAnAZGI3+Y5ss1h6vTq9B9g8v9Vp37b+IKdpUpTjnQhmDw1hWmA6/fYdZJ+/ire4PbKucTGeScoyxeS70Oppe
    45yrOYTZqt4iVdMoDvmjBwUfrM2jjgPAu2yiMDDuzKjx3FylS3HYmx8VXAlPKKDdBcwkkhlpysXECl4MSgbZN2sOQBOIxVKZHv2K7rIWTKFn
    17r6FY78/fHKvW9zR9KwE0GIThuyUIW0TB11V6D6+01OLjnneyKipGFdXK6LpF3CkNrdaszelsWN8MQFGwStxC4CQJ0yvg+BKIktUvrfN19n
    j1CJbdCeIYffgFUHJDNmEs9ln44c/W/QI7g5wam0BGD5wD86mnsnF9eN1bQO8oal1tfWDfGn6J6qFDML5TgY/svLr/A07N+GzzXZYr/awO+u
    MnmaJynj8eP3zEJrdFrHzOoM4dyr2kWqTj+KIaNBweD1d0aNAWDL+0ThDxybz0f9MftZpaUYbv+MClbChAK6LeDPk0jOI52yeOIrWDwoOcjt
    XH8GoCcQF5fKabSiLa8XnELz1rVaYWRjZdt9NpI+3EQQouke8kIV0stTo7YC1fZksmRmExElPfxaLGuRdEs4pG771XFu7+XFPsLEgjsIuhJv
    EQBqyj82BKIk7kVK22fNjVCJewfdHDLsgH/VgOQ8npOY5ZtGRvv8Hw==
    """,
    "far": """
    7d2hTkIBAADAiRuTRCMwClOGCQ0GN+comjS4MRIWkwmSwc3NzfBQNnAzaLBZ0EKAzhQ3fEx5yWB3ToOZRuAbLKa7H7lo5y6dHydab2urueuV
    UjW7XOu97m7Odc43FttB+36ve/yRWK8+/cbnC+/hUWf/u3/xdXU7Drr17czk8XRrVBxWys9LJ42Xw7NkkFkoT1u14CeMmoObWCqsP1xOPg8A
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+LPoHz76GQ==
    """,
    "far, run length": """
    7cGvzwFxAMDh8W7mkibYFcNICILNTCERbCZR3iTdJcFmswnfw+ZsAkFTUITTzY+NM+6SoJsRZE14/4a3f57Hzk99YUvSL4l4aBQrKf6IujoX
    0o5lJxWYidm8aDRuUlLZvl0/0atZX1af6+5jOLGEoeXkz6aVPWUOlfI+2Owda22PkN3lr66Kl2n3d2On19QWg8/9FwAAAAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwb3Z+6gtbkn5JxEOjWEnxR9TVuZB2LDupwEzM5kWjcZOSyvbt+olezfqy+lx3H8OJ
    JQwtJ382rewpc6iU98Fm71hre4TsLn91VbxMu78bO72mthh87n8=
    """,
    "random, fixed": """
    AWQAm//NS6EaJ8wJjcs0MCWVL1NtIShusspMPQGthzsjpoWmp1CxeNcJOG3A6wYDLtPHdK1c5r2I5JGazIWxhkUc9b9+RMg/xVtVwiR7icZn
    gQ+FHAhV/I1uhefHzYzBlgIWx4aojvXi
    """,
    "random, stored": """
    AWQAm//NS6EaJ8wJjcs0MCWVL1NtIShusspMPQGthzsjpoWmp1CxeNcJOG3A6wYDLtPHdK1c5r2I5JGazIWxhkUc9b9+RMg/xVtVwiR7icZn
    gQ+FHAhV/I1uhefHzYzBlgIWx4aojvXi
    """,
    "empty": """
    AwA=
    """,
    "geometric, flushed": """
    TFILdsMwCEPCSbvd/8BDEmnn9iUOxqAPOKwiwAJxahaqJzSxmiganDgdr57QbI7es/xF/aBz1Nx3CaX3/KeUUnTPJZs5OWpX1DVOhqMTP0dF
    deQL8yj3YKrNvz/NqIoDOKgDYnYLdGCcFkQeATbcu9C1kBXTfTc2RAcHbruG9Ehkl7C2ANUS0roVn73LtlG0YECoPp1eCiojbXTqdvi0nvdt
    MQxheftxuXYJO0zcEPoptUBccr27OdTR/8DDd6KL1LgsRx2zB+2o6Y3XSruCSgYQtxKcYw7iawokr/aXPRKMw6BeB1y28OqMVNimcqlTR2S5
    vyrILnZlAiRgbH3KYom6WcPDozyuVvhhpH2nBy5quI58+mV3QLDrq380P+fBPAMVe5oPlUdEcRFoc/4KGkQjWu+clTloOg9XCGxG2lzU3GT+
    imdNB7COxUvP+zu1PfLN+JWxje3bwFO3u3Rr/APfvvMHAAD//2SVi7ICMQhDIbRb7/X//9dCwj50Rh1nrYWSnFQC5vuV6nHE2WhCm/b1IRwM
    f1ZW8Xzke3L452lhcsuN//Sr1LWGJlit5NGw89GRnuF5UuaRfxt7RSwxVuzIATyT99T5Qo7GKVTQYNU1m6jMaHlrs51cJ/8aoKBxW5UfJ4ST
    SFUJ4hw3/bNXOVEs8JOJpMAYqVKcCqgSRiku/kP8jyf/5U9tiot/7m0yn5+2pW8VMDRhazdR7ruad1x2FTSK2TzoUYpmdZLUIueviLoAuIZJ
    tFa5ZWf1zOgLocd0/+E/zIULnvyj6jOPIy7+16H0t7JwyjrHN/+8ncJ1wUTzj+hopeR7plCQbw2gAIVd8+fMge6Zcchb6Zv/kMHn7MV3/tE+
    M39vBWbadzz4h8qgLykSIdG9hsFNJftphLI8Jq+vkuHNrVSgXKdv9gEAAP//hJbREoMgDATBS3Ds/39wSS5BaGV8rzWGu12GfcboR2W2y1VK
    lAYSK7b1Tf4nVpxc6X81PiOYd7L/nWTP/s/S2M8/HlBGR+LQLt+BGr2H/9vwfwPS//6ATP53ipcmP/5HTB3+x/B/T4546ZPLfoDtzf9ivtr5
    X3T0n8CiDdTW26PrU7R//6Pj9NX/GP4/47sLCyD0ZfrfY6u3/xNgNW4C/W1GwnP2v9xxjdIEZlf/S5WRId+wsRl7/0Nv/ytT+OB/t151Vk39
    Fz/iJ//Lu//tH9uD/xGxJ96r7bQFyHGIcIhD//wP5MzGbVZu4/9r53/kPdN2qSTw6n/rHE86Bgxmspqr/8GbNCb/6+J/LV8AAAD//wMA
    """,
  ]
}
