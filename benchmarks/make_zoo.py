"""Put trained runs of the paper preset into the package's zoo: python benchmarks/make_zoo.py."""

from suite.make_zoo import main

if __name__ == "__main__":
    main()
